/** `millrace/file`: lines of files in and out, and standard output. */
export type { FileLinesOptions } from './connectors/file/file-lines.ts';
export { fileLines } from './connectors/file/file-lines.ts';
export type { FileSinkOptions } from './connectors/file/file-sink.ts';
export { fileSink } from './connectors/file/file-sink.ts';
export type { FilesSinkOptions } from './connectors/file/files-sink.ts';
export { filesSink } from './connectors/file/files-sink.ts';
export type { StdoutSinkOptions } from './connectors/stdout/stdout-sink.ts';
export { stdoutSink } from './connectors/stdout/stdout-sink.ts';
