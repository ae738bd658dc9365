/** `millrace/socket`: lines that arrive over TCP. */
export type { SocketLinesOptions } from './connectors/socket/socket-lines.ts';
export { socketLines } from './connectors/socket/socket-lines.ts';
