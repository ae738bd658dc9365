/** For messages: how bytes start, as text where they are text and in hexadecimal where they are not, and their number. */
const SHOWN = 40;

export function startOf(bytes: Uint8Array): string {
  if (bytes.byteLength === 0) return 'nothing (0 bytes)';
  const start = bytes.subarray(0, SHOWN);
  const text = new TextDecoder().decode(start, { stream: true });
  const more = bytes.byteLength > SHOWN ? '…' : '';
  const size = `${bytes.byteLength} ${bytes.byteLength === 1 ? 'byte' : 'bytes'}`;
  if (!/[\p{Cc}\ufffd]/u.test(text.replace(/[\t\r\n]/g, ' '))) return `${JSON.stringify(text)}${more} (${size})`;
  const hex = Array.from(start.subarray(0, 16), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return `the bytes ${hex}${bytes.byteLength > 16 ? ' …' : ''} (${size})`;
}
