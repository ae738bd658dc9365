/** `millrace receipt`. */
import type { Guarantee } from '../../topology/receipt.ts';
import { receiptOf } from '../../topology/receipt.ts';
import { readConfig } from '../config.ts';
import { loadTopology } from '../load-module.ts';
import { receiptLines } from '../receipt-text.ts';
import { print, printJson } from '../terminal.ts';
import type { GraphOptions } from './graph-command.ts';

interface ReceiptOptions extends GraphOptions {
  readonly guarantee?: Guarantee;
}

export async function receiptCommand(module: string, { guarantee, config, set, json }: ReceiptOptions): Promise<void> {
  const receipt = receiptOf((await loadTopology(module)).build(readConfig(config, set)), guarantee);
  if (json) printJson(receipt);
  else print(...receiptLines(receipt));
}
