/** What became of numbered readings: how many came out, which are missing, and which came out twice. */
import type { Verdict } from './jobs/detector.ts';

interface Device {
  /** All up to this number have come, and of the later ones these. */
  upTo: number;
  readonly ahead: Set<number>;
}

export class Tally {
  seen = 0;
  /** Readings that came again, and those that the job itself has counted twice. */
  doubled = 0;
  /** `device n` of all alerts. */
  readonly alerts = new Set<string>();
  readonly #devices = new Map<string, Device>();

  take({ device_id, n, seen, alert }: Verdict): void {
    let device = this.#devices.get(device_id);
    if (device === undefined) {
      device = { upTo: 0, ahead: new Set() };
      this.#devices.set(device_id, device);
    }
    if (n <= device.upTo || device.ahead.has(n)) {
      this.doubled++;
      return;
    }
    device.ahead.add(n);
    while (device.ahead.delete(device.upTo + 1)) device.upTo++;
    this.seen++;
    if (seen > n) this.doubled++;
    if (alert) this.alerts.add(`${device_id} ${n}`);
  }

  /** Readings that a later one of their device has overtaken: the job keeps the order, so they will not come any more. */
  get overtaken(): number {
    return [...this.#devices.values()].reduce((sum, { upTo, ahead }) => {
      return sum + (ahead.size === 0 ? 0 : Math.max(...ahead) - upTo - ahead.size);
    }, 0);
  }
}
