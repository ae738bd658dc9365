/** `millrace`: what a topology module is written with. Pure data and functions; no Node built-in is loaded. */
export type { GeneratorOptions } from './connectors/generator/generator.ts';
export { generatorSpout } from './connectors/generator/generator.ts';
export type { Duration } from './duration.ts';
export type { ErrorCode } from './errors.ts';
export { MillraceError } from './errors.ts';
export type { Aggregate, WindowSpan } from './time/aggregates/aggregate.ts';
export { collect } from './time/aggregates/collect.ts';
export { count } from './time/aggregates/count.ts';
export type { CustomAggregate } from './time/aggregates/custom.ts';
export { aggregate, reduce } from './time/aggregates/custom.ts';
export { distinct } from './time/aggregates/distinct.ts';
export { first, last } from './time/aggregates/ends.ts';
export { max, min } from './time/aggregates/extremes.ts';
export { percentiles } from './time/aggregates/percentiles.ts';
export { rate } from './time/aggregates/rate.ts';
export { mean, sum } from './time/aggregates/sum.ts';
export { topK } from './time/aggregates/top-k.ts';
export { stddev, variance } from './time/aggregates/variance.ts';
export type { Feature, FeaturesOptions, WithFeatures } from './time/features.ts';
export { features, over, sinceLast } from './time/features.ts';
export type { WindowAssigner, WindowTime } from './time/windows/assigners.ts';
export { countWindow, globalWindow, session, sliding, tumbling } from './time/windows/assigners.ts';
export type { Aggregates } from './time/windows/columns.ts';
export type { Timing } from './time/windows/operator.ts';
export type { Windowed, WindowedOptions } from './time/windows/windowed.ts';
export { windowed } from './time/windows/windowed.ts';
export type {
  AsyncCall,
  AsyncOrder,
  Bolt,
  BoltTask,
  Lifecycle,
  ManualTask,
  RejectCause,
  Tuple,
} from './topology/bolt.ts';
export { asyncBolt, bolt, flatMap, manualBolt, map } from './topology/bolt.ts';
export type { Direct, Emit, Emits, EmitsNothing, Handles } from './topology/emits.ts';
export { direct } from './topology/emits.ts';
export type { Epoch } from './topology/epoch.ts';
export type { EventTime, SpoutTime, WatermarkGenerator } from './topology/event-time.ts';
export type { Key } from './topology/key.ts';
export type { BoltOptions, ErrorPolicy, SinkOptions, SpoutOptions } from './topology/options.ts';
export type { Plan, PlanComponent } from './topology/plan.ts';
export type { Schema } from './topology/schema.ts';
export { type } from './topology/schema.ts';
export type { Batch, Epochs, EpochWriter, Sink, SinkMode, SinkWriter } from './topology/sink.ts';
export { sink } from './topology/sink.ts';
export type {
  LogReader,
  LogTask,
  MessageId,
  Position,
  QueueReader,
  QueueTask,
  Rejected,
  Spout,
  SpoutContext,
} from './topology/spout.ts';
export { logSpout, spout } from './topology/spout.ts';
export type {
  ListState,
  MapState,
  ReducingState,
  StateHandles,
  StateOptions,
  StateSpec,
  Ttl,
  ValueState,
} from './topology/state-spec.ts';
export { list, mapOf, reducing, value } from './topology/state-spec.ts';
export type { DirectStream, FieldOf, Input, Stream } from './topology/stream.ts';
export type { Resource, Task } from './topology/task.ts';
export type { Timer, TimerDomain, Timers } from './topology/timer-spec.ts';
export type { Built, Ends, Inputs, Topology, TopologyBuilder } from './topology/topology.ts';
export { topology } from './topology/topology.ts';
