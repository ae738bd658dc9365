import { LogError } from '../errors.ts';
import type { Message, ReadOf, Shape } from './message.ts';
import { Reader } from './reader.ts';

/**
 * Draws a value of any message in any version, without knowing its fields: a reader that makes up what it is asked for,
 * small numbers above all, so that lengths, counts and nulls come out as something that exists.
 */
class InventingReader extends Reader {
  private readonly random: () => number;
  private strings = 0;

  constructor(random: () => number) {
    super(Buffer.alloc(0));
    this.random = random;
  }

  override get left(): number {
    return Number.MAX_SAFE_INTEGER;
  }

  override int8 = () => this.small(-1);
  override int16 = () => this.small(-1);
  override int32 = () => this.small(-1);
  override int64 = () => this.small(-1) * (this.random() < 0.5 ? 1 : 2 ** 40);
  override uvarint = () => this.small(0);

  override uuid(): string {
    const digits = Array.from({ length: 32 }, () => Math.floor(this.random() * 16).toString(16)).join('');
    return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  }

  override string(length: number): string | null {
    return length < 0 ? null : 'é'.repeat(length) + this.strings++;
  }

  override view(length: number): Buffer | null {
    return length < 0 ? null : Buffer.alloc(length * (this.random() < 0.1 ? 3000 : 1), this.strings++);
  }

  override count(count: number): number {
    return count;
  }

  override tags(known?: (tag: number, size: number) => void): void {
    for (let tag = 0; tag < 4; tag++) if (this.random() < 0.5) known?.(tag, 0);
  }

  private small(least: number): number {
    return least + Math.floor(this.random() * 4);
  }
}

/** Draws again where null came out for what cannot be null. */
export function sampleOf<S extends Shape>(message: Message<S>, version: number, random: () => number): ReadOf<S> {
  for (;;) {
    try {
      return message.read(new InventingReader(random), version);
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
    }
  }
}
