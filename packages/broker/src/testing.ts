/** `@millrace/broker/testing`: the disk that keeps what it promises and nothing more, for tests of whoever stands on the log. */
export { FaultyStorage } from './log/faulty-storage.ts';
