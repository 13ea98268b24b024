import { EngineError } from '@engine/linux'

/**
 * The container's ports of EXPOSE words: `80`, `80/udp`, `1000-1002`, also `127.0.0.1:8080:80` (of which Docker takes the last part).
 * @returns `80/tcp`, one for each port
 * @throws EngineError invalid-argument with Docker's texts
 */
export function parsePorts(words: readonly string[]): string[] {
  return words.flatMap((word) => {
    const [spec = '', protocol = ''] = splitProtocol(word)
    const container = spec.slice(spec.lastIndexOf(':') + 1)
    if (container === '') throw failure(`No port specified: ${word}<empty>`)
    const [first, last] = range(container)
    if (first === undefined || last === undefined || last < first) throw failure(`Invalid containerPort: ${container}`)
    if (!['tcp', 'udp', 'sctp'].includes(protocol.toLowerCase())) throw failure(`Invalid proto: ${protocol}`)
    return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${protocol.toLowerCase()}`)
  })
}

function splitProtocol(word: string): [string, string] {
  const [spec = '', protocol] = word.split('/')
  return [spec, protocol === undefined || protocol === '' ? 'tcp' : protocol]
}

function range(text: string): [number | undefined, number | undefined] {
  const [first, last = first, ...more] = text.split('-')
  return more.length > 0 ? [undefined, undefined] : [port(first), port(last)]
}

function port(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) && Number(text) <= 65535 ? Number(text) : undefined
}

function failure(message: string): EngineError {
  return new EngineError('invalid-argument', message)
}
