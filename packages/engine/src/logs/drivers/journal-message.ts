import { rfc3339 } from '../../clock.ts'

/** syslog(3): what a container prints on standard output and error is. */
const priorities = { stdout: 6, stderr: 3 } as const

/** Where systemd-journald listens (systemd, docs/JOURNAL_NATIVE_PROTOCOL.md). */
export const journalSocket = '/run/systemd/journal/socket'

/**
 * One line as a datagram of journald's native protocol, with the fields that Docker's driver sets.
 * @param fields of the container: constant for all of its lines
 * @param partial whether the line goes on in the next message
 */
export function journalMessage(line: Buffer, stream: 'stdout' | 'stderr', time: bigint, fields: Readonly<Record<string, string>>, partial: boolean): Buffer {
  const all: [string, string | Buffer][] = [
    ['MESSAGE', line],
    ['PRIORITY', String(priorities[stream])],
    ...Object.entries(fields),
    ['SYSLOG_TIMESTAMP', rfc3339(time)],
    ...(partial ? [['CONTAINER_PARTIAL_MESSAGE', 'true'] as [string, string]] : []),
  ]
  return Buffer.concat(all.flatMap(([name, value]) => field(name, typeof value === 'string' ? Buffer.from(value) : value)))
}

/** `NAME=value`, or with a length before it when the value has line feeds. */
function field(name: string, value: Buffer): Buffer[] {
  if (!value.includes(0x0a)) return [Buffer.from(`${name}=`), value, lineFeed]
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(value.length))
  return [Buffer.from(`${name}\n`), length, value, lineFeed]
}

/** A label's or variable's name as a field's: upper case letters, digits and `_`, which it does not begin with. */
export function fieldName(name: string): string {
  return name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_').replace(/^_+/, '')
}

const lineFeed = Buffer.from('\n')
