/** `--metrics-port`: Prometheus text at /metrics and health at /health, for this machine only. */
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { health, PROMETHEUS_CONTENT_TYPE, prometheusText } from '../engine/prometheus.ts';
import type { Running } from '../engine/running.ts';
import { MillraceError } from '../errors.ts';

export interface MetricsServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Port 0 takes any free one. */
export async function serveMetrics(port: number, running: Running, now: () => number): Promise<MetricsServer> {
  const text = () => {
    const status = running.checkpoints();
    return prometheusText(running.metrics(), status && { status, now: now() });
  };
  const server = createServer(({ url = '/', method = 'GET' }, response) => {
    if (method !== 'GET' && method !== 'HEAD') return answer(response, 405, 'text/plain', 'only GET\n');
    switch (url.split('?')[0]) {
      case '/metrics':
        return answer(response, 200, PROMETHEUS_CONTENT_TYPE, text());
      case '/health': {
        const { status, body } = health(running);
        return answer(response, status, 'application/json', `${JSON.stringify(body)}\n`);
      }
      default:
        return answer(response, 404, 'text/plain', 'there are /metrics and /health\n');
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'EADDRINUSE' ? new MillraceError('MR_PORT', [port], error) : error);
    });
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type }).end(body);
}
