/** What the running topology of this process can be asked and told by others. */
import { structured } from '../../codec/structured.ts';
import type { Running } from '../../engine/running.ts';
import { MillraceError, messageOf } from '../../errors.ts';
import type { Ledger, LedgerEntry } from '../../ledger/ledger.ts';
import type { Clock } from '../../runtime/runtime.ts';
import type { Built } from '../../topology/topology.ts';
import type { Methods } from '../api.ts';
import { entryOf } from './ledger-methods.ts';
import { readParams } from './params.ts';

type TopologyMethod = 'status' | 'activate' | 'deactivate' | 'stop' | 'kill' | 'ledger.replay';

export interface OwnTopology {
  readonly running: Running;
  readonly built: Built;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly data: string;
}

export function topologyMethods(own: OwnTopology): Methods<TopologyMethod> {
  const { running, data } = own;
  const state = () => ({ topology: running.name, state: running.state });
  return {
    status() {
      const checkpoints = running.checkpoints();
      const { receipt } = running;
      return { pid: process.pid, data, receipt, metrics: running.metrics(), ...(checkpoints ? { checkpoints } : {}) };
    },
    activate() {
      running.activate();
      return state();
    },
    deactivate() {
      running.deactivate();
      return state();
    },
    async stop(params) {
      await running.stop({ drain: readParams(params).flag('drain') });
      return state();
    },
    async kill() {
      await running.kill();
      return state();
    },
    'ledger.replay': async (params) => {
      await replay(own, entryOf(own.ledger, readParams(params).text('id')));
      return null;
    },
  };
}

/** Resolves when all that came of the record is done. It fails as the record failed before if nothing has changed. */
async function replay({ running, built, ledger, clock }: OwnTopology, entry: LedgerEntry): Promise<void> {
  const refuse = (why: string): never => {
    throw new MillraceError('MR_LEDGER_ENTRY', [entry.id, why]);
  };
  if (entry.topology !== running.name) refuse(`is of topology '${entry.topology}', and '${running.name}' runs here`);
  if (!built.components.has(entry.component)) refuse(`is of component '${entry.component}', which is no more`);
  if (entry.payload === null) {
    refuse(entry.shed ? 'has lost its payload: the ledger was full' : 'had no value, so there is nothing to replay');
  }
  const value = replayedValue(entry, built, refuse);
  const unfinished = () => refuse('was not done when the topology ended');
  const ended = running.done.then(unfinished, unfinished);
  await Promise.race([running.replay(entry.component, entry.input, value, entry.time), ended]);
  ledger.markReplayed(entry.id, clock.now());
}

/** A value between components as it was; a record that could not be read is read again, by its spout. */
function replayedValue(
  { component, encoding, payload }: LedgerEntry,
  built: Built,
  refuse: (why: string) => never,
): unknown {
  if (encoding === 'value') return structured.decode(payload!);
  const from = built.components.get(component);
  const decode = from?.kind === 'spout' && from.code.kind === 'log' ? from.code.decode : undefined;
  if (!decode) return refuse(`holds a record of '${component}', a source that cannot read a single record again`);
  try {
    return decode(payload!);
  } catch (thrown) {
    return refuse(`still cannot be read: ${messageOf(thrown)}`);
  }
}
