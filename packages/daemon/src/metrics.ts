import { createServer, type Server } from 'node:http'
import type { Engine } from '@engine/engine'
import { EngineError } from '@engine/linux'

/** What the daemon counts of itself. */
export interface Metrics {
  /** A request was answered. */
  observe(operation: string, status: number, seconds: number): void
  close(): void
}

/**
 * Serves /metrics for Prometheus on `address:port`. Only when it is configured, and only then is the library loaded.
 * @throws EngineError when it cannot listen
 */
export async function serveMetrics(address: string, engine: Engine): Promise<Metrics> {
  const { collectDefaultMetrics, Gauge, Histogram, Registry } = await import('prom-client')
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const requests = new Histogram({
    name: 'engine_http_request_duration_seconds',
    help: 'API requests by route and status',
    labelNames: ['route', 'status'],
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
    registers: [registry],
  })
  const containers = new Gauge({
    name: 'engine_containers',
    help: 'Containers by state',
    labelNames: ['state'],
    registers: [registry],
    async collect() {
      const info = await engine.system.info()
      this.set({ state: 'running' }, info.ContainersRunning)
      this.set({ state: 'paused' }, info.ContainersPaused)
      this.set({ state: 'stopped' }, info.ContainersStopped)
    },
  })
  registry.registerMetric(containers)
  const server = createServer((request, response) => {
    if (request.url !== '/metrics') return void response.writeHead(404).end()
    registry.metrics().then(
      (text) => response.writeHead(200, { 'Content-Type': registry.contentType }).end(text),
      () => response.writeHead(500).end(),
    )
  })
  await listen(server, address)
  return {
    observe: (route, status, seconds) => requests.observe({ route, status }, seconds),
    close: () => void server.close(),
  }
}

function listen(server: Server, address: string): Promise<void> {
  const colon = address.lastIndexOf(':')
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new EngineError('invalid-argument', `invalid configuration: metrics-addr: ${error.message}`, { cause: error })))
    server.listen({ host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) }, resolve)
  })
}
