import { deepFreeze } from '../engine/freeze.ts';
import { KeyedState } from './keyed-state.ts';
import { keyedStateSuite } from './suite/suite.ts';

keyedStateSuite('in memory', (options) => new KeyedState(options), deepFreeze);
