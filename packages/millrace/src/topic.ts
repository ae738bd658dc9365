/** `millrace/topic`: topics as values, the spout and the sink over them, their codecs, and the embedded log behind them. */
export { bytes } from './codec/bytes.ts';
export type { Codec } from './codec/codec.ts';
export { string } from './codec/string.ts';
export { embeddedTopicLog } from './topic/embedded.ts';
export { json } from './topic/json.ts';
export type { Topic, TopicSettings } from './topic/topic.ts';
export { topic } from './topic/topic.ts';
export type { StartFrom, TopicLog } from './topic/topic-log.ts';
export { topicLog } from './topic/topic-log.ts';
export { topicSink } from './topic/topic-sink.ts';
export type { TopicSpoutOptions } from './topic/topic-spout.ts';
export { topicSpout } from './topic/topic-spout.ts';
