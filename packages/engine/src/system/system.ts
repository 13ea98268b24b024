import type { EngineContext } from '../context.ts'
import type { System } from '../interface.ts'
import { systemInfo } from './info.ts'
import { systemVersion } from './version.ts'

/** The verbs that are about the engine itself. @param images how many images there are */
export function systemVerbs(engine: EngineContext, images: () => number): System {
  return {
    version: async () => systemVersion(),
    info: async () => systemInfo(engine, images()),
    events: (range, signal) => engine.events.stream(range, signal),
  }
}
