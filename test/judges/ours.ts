/** The judges against our broker, as a process of its own. Run by `.ci/run`. */
import { after, before } from 'node:test';
import { type OurBroker, startOurs } from '../peers/ours.ts';
import { hear } from './verdicts.ts';

let broker: OurBroker;
before(async () => {
  broker = await startOurs();
});
after(() => broker.stop());
hear('the judges against the embedded broker', () => broker.bootstrap);
