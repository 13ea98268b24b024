/** Names that users and hosts choose stand for all of their kind. */
const chosen = new Set(['Labels', 'Annotations', 'Networks', 'Containers', 'Runtimes', 'Options', 'Volumes', 'Ports', 'ExposedPorts', 'Sysctls', 'Data', 'Attributes', 'networks', 'stats', 'IndexConfigs', 'Mirrors', 'features', 'Details', 'AuxiliaryAddresses', 'SystemStatus', 'Storage', 'PortBindings', 'GraphDriver'])

/**
 * The fields of an answer, each with its type: `[].Names: list`, `.HostConfig.Memory: number`. Elements of a list are one, and so are
 * values of maps whose names are a user's (`Networks.*`).
 */
export function shapeOf(value: unknown, path = '', name = ''): string[] {
  if (Array.isArray(value)) return [`${path}: list`, ...unique(value.flatMap((item) => shapeOf(item, `${path}[]`)))]
  if (typeof value !== 'object' || value === null) return [`${path}: ${value === null ? 'null' : typeof value}`]
  const inner = Object.entries(value).flatMap(([key, item]) => (chosen.has(name) ? shapeOf(item, `${path}.*`) : shapeOf(item, `${path}.${key}`, key)))
  return [`${path}: map`, ...unique(inner)]
}

function unique(lines: readonly string[]): string[] {
  return [...new Set(lines)].sort()
}
