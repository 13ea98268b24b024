import type { EngineContext } from '../context.ts'
import type { System } from '../interface.ts'
import { diskUsage, type DiskUsageParts } from './disk-usage.ts'
import { systemInfo } from './info.ts'
import { systemVersion } from './version.ts'

/** The verbs that are about the engine itself. @param images how many images there are */
export function systemVerbs(engine: EngineContext, images: () => number, parts: DiskUsageParts): System {
  return {
    version: async () => systemVersion(),
    info: async () => systemInfo(engine, images()),
    diskUsage: (types) => diskUsage(parts, types),
    events: (range, signal) => engine.events.stream(range, signal),
  }
}
