import { rfc3339 } from '../../clock.ts'
import type { SyslogSettings } from './syslog-options.ts'

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
/** RFC 5424, section 6.2.1: severities of what a container prints on standard output and error. */
const severities = { stdout: 6, stderr: 3 } as const

export interface SyslogSource {
  readonly tag: string
  readonly hostname: string
  readonly pid: number
}

/**
 * One line as a syslog message, in the forms that Docker sends (RFC 3164, RFC 5424, and that of the C library); framed for TLS as
 * RFC 5425 wants it with RFC 5424, else ended by a line feed.
 * @param time nanoseconds since the epoch
 */
export function syslogMessage(line: Buffer, stream: 'stdout' | 'stderr', time: bigint, settings: SyslogSettings, source: SyslogSource): Buffer {
  const priority = settings.facility * 8 + severities[stream]
  const message = Buffer.concat([Buffer.from(header(priority, time, settings, source)), line, lineFeed])
  if (settings.address.transport !== 'tls' || !settings.format.startsWith('rfc5424')) return message
  return Buffer.concat([Buffer.from(`${message.length} `), message])
}

function header(priority: number, time: bigint, { format }: SyslogSettings, { tag, hostname, pid }: SyslogSource): string {
  switch (format) {
    case 'unix':
      return `<${priority}>${stamp(time)} ${tag}[${pid}]: `
    case 'rfc3164':
      return `<${priority}>${stamp(time)} ${hostname} ${tag}[${pid}]: `
    case 'rfc5424':
      return `<${priority}>1 ${rfc3339((time / 1_000_000_000n) * 1_000_000_000n)} ${hostname} ${tag} ${pid} ${tag} - `
    case 'rfc5424micro':
      return `<${priority}>1 ${micro(time)} ${hostname} ${tag} ${pid} ${tag} - `
  }
}

/** Go's time.Stamp in the local zone: `Jan _2 15:04:05`. */
function stamp(time: bigint): string {
  const date = new Date(Number(time / 1_000_000n))
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${months[date.getMonth()]} ${String(date.getDate()).padStart(2)} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

function micro(time: bigint): string {
  const seconds = rfc3339((time / 1_000_000_000n) * 1_000_000_000n)
  return seconds.replace(/(?=Z|[+-]\d\d:\d\d$)/, `.${String((time / 1000n) % 1_000_000n).padStart(6, '0')}`)
}

const lineFeed = Buffer.from('\n')
