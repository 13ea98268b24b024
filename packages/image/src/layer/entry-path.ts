import { EngineError } from '@engine/linux'
import { beyondLimit } from './tar/entry.ts'

/**
 * Takes an archive's path apart as Docker cleans it: slashes at the beginning and `.` do not count, `..` takes back the component
 * before it, by text.
 * @param depth most components
 * @returns the components; none for the root itself
 * @throws EngineError invalid-argument for a path that begins outside (`../x`), or is too deep
 */
export function splitEntryPath(path: Buffer, depth: number): Buffer[] {
  const components: Buffer[] = []
  for (let start = 0; start <= path.length; ) {
    const slash = path.indexOf(0x2f, start)
    const end = slash < 0 ? path.length : slash
    const component = path.subarray(start, end)
    start = end + 1
    if (component.length === 0 || isDots(component, 1)) continue
    if (!isDots(component, 2)) components.push(component)
    else if (components.pop() === undefined) throw new EngineError('invalid-argument', `invalid path in the archive: ${JSON.stringify(path.toString())} is outside of it`)
  }
  if (components.length > depth) throw beyondLimit('depth', `a path of the archive is deeper than ${depth} directories`)
  return components
}

/** The components of a path, `..` among them; empty ones and `.` do not count. */
export function splitComponents(path: Buffer): Buffer[] {
  const components: Buffer[] = []
  for (let start = 0; start <= path.length; ) {
    const slash = path.indexOf(0x2f, start)
    const end = slash < 0 ? path.length : slash
    const component = path.subarray(start, end)
    start = end + 1
    if (component.length > 0 && !isDots(component, 1)) components.push(component)
  }
  return components
}

/** Components with slashes between them. */
export function joinComponents(components: readonly Buffer[]): Buffer {
  return Buffer.concat(components.flatMap((component, index) => (index === 0 ? [component] : [separator, component])))
}

function isDots(component: Buffer, count: 1 | 2): boolean {
  return component.length === count && component[0] === 0x2e && component[count - 1] === 0x2e
}

const separator = Buffer.from('/')
