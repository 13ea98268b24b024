import { cut, readCsv } from '../arguments/csv.ts'

export interface DeviceRequest {
  readonly Driver: string
  readonly Count: number
  readonly DeviceIDs: readonly string[] | null
  readonly Capabilities: readonly (readonly string[])[]
  readonly Options: Readonly<Record<string, string>>
}

/**
 * Reads one `--gpus`: `all`, a number, or `driver=…,count=…,"device=a,b","capabilities=x,y","options=k=v"` (docker: opts/gpus.go).
 * @throws Error with docker's text
 */
export function readGpus(given: string): DeviceRequest {
  const seen = new Set<string>()
  let request: DeviceRequest = { Driver: '', Count: 0, DeviceIDs: null, Capabilities: [['gpu']], Options: {} }
  for (const field of readCsv(given)) {
    const [key, value] = cut(field, '=')
    if (seen.has(key)) throw new Error(`gpu request key '${key}' can be specified only once`)
    seen.add(key)
    if (value === undefined) {
      seen.add('count')
      request = { ...request, Count: readCount(key) }
      continue
    }
    request = { ...request, ...readField(key, value, field) }
  }
  return seen.has('count') || request.DeviceIDs !== null ? request : { ...request, Count: 1 }
}

function readField(key: string, value: string, field: string): Partial<DeviceRequest> {
  switch (key) {
    case 'driver': return { Driver: value }
    case 'count': return { Count: readCount(value) }
    case 'device': return { DeviceIDs: value.split(',') }
    case 'capabilities': return { Capabilities: [[...value.split(','), 'gpu']] }
    case 'options': return { Options: Object.fromEntries(readCsv(value).map((option) => {
      const [name, text = ''] = cut(option, '=')
      return [name, text]
    })) }
    default: throw new Error(`unexpected key '${key}' in '${field}'`)
  }
}

function readCount(text: string): number {
  if (text === 'all') return -1
  if (!/^[+-]?\d+$/.test(text)) throw new Error(`invalid count (${text}): value must be either "all" or an integer: invalid syntax`)
  return Number(text)
}
