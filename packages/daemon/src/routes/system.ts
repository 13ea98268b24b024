import { isAtLeast } from '@engine/api'
import { TextAnswer, type Call, type Handlers } from '../call.ts'

/** Serves /_ping, /version, /info, /system/df and /openapi.json. */
export const system: Handlers<'SystemPing' | 'SystemPingHead' | 'SystemVersion' | 'SystemInfo' | 'SystemDataUsage' | 'OpenApi'> = {
  async SystemPing(call) {
    pingHeaders(call)
    return new TextAnswer('OK')
  },
  async SystemPingHead(call) {
    pingHeaders(call)
    return new TextAnswer('')
  },
  SystemVersion: ({ engine }) => engine.system.version(),
  SystemInfo: ({ engine }) => engine.system.info(),
  async OpenApi() {
    // Loaded when it is asked for: the schemas of answers are not needed otherwise.
    const { openApiDocument } = await import('@engine/api/openapi')
    return openApiDocument()
  },
  async SystemDataUsage({ engine, query, version }) {
    // Before 1.42 nobody could choose.
    return engine.system.diskUsage(isAtLeast(version, '1.42') ? query.type : [])
  },
}

function pingHeaders(call: Pick<Call, 'header'>): void {
  // The builder that is advised: 1 is the one behind POST /build.
  call.header('Builder-Version', '1')
  call.header('Swarm', 'inactive')
  call.header('Cache-Control', 'no-cache, no-store, must-revalidate')
  call.header('Pragma', 'no-cache')
}
