/** What others can ask of the event time and the state of the running topology. */
import { structured } from '../../codec/structured.ts';
import type { Explanation } from '../../engine/explanation.ts';
import { momentOf } from '../../engine/explanation.ts';
import { keysMeant, keyText } from '../../engine/key-text.ts';
import type { Running } from '../../engine/running.ts';
import type { Methods } from '../api.ts';
import { toBase64 } from '../api.ts';
import { readParams, wrong } from './params.ts';

type InspectMethod = 'explain' | 'event-time' | 'state.read' | 'state.keys';

const MOST_KEYS = 10_000;

export function inspectMethods(running: Running, now: () => number): Methods<InspectMethod> {
  return {
    explain(params) {
      const read = readParams(params);
      const time = read.raw('time');
      if (time !== undefined && typeof time !== 'number')
        throw wrong("'time' must be a number of milliseconds since 1970");
      const asked = time === undefined ? {} : { time };
      return explained(running, read.text('component'), asked, read.optionalText('key'));
    },
    'event-time': () => ({ topology: running.name, at: now(), components: running.eventTime() }),
    'state.read'(params) {
      const read = readParams(params);
      const component = read.text('component');
      for (const key of keysMeant(read.text('key'))) {
        const content = running.readState(component, key);
        if (content === undefined) continue;
        const timers = content.timers.map(({ name, time }) => ({ name, time: momentOf(time) }));
        return { component, key: keyText(key), state: toBase64(structured.encode(content.state))!, timers };
      }
      return null;
    },
    'state.keys'(params) {
      const read = readParams(params);
      const component = read.text('component');
      const most = Math.min(read.optionalCount('limit') ?? MOST_KEYS, MOST_KEYS);
      const keys = running.stateKeys(component, most).map(keyText);
      const { keys: total = 0 } = running.metrics().components.find((of) => of.component === component)!;
      return { component, keys, total };
    },
  };
}

/** Of the keys that a text may mean, the first that has a timer counts. */
function explained(running: Running, component: string, asked: { readonly time?: number }, text?: string): Explanation {
  if (text === undefined) return running.explain(component, asked);
  const [first, ...others] = keysMeant(text);
  const answer = running.explain(component, { ...asked, key: first });
  if (answer.timer?.name !== undefined) return answer;
  return (
    others.map((key) => running.explain(component, { ...asked, key })).find(({ timer }) => timer?.name !== undefined) ??
    answer
  );
}
