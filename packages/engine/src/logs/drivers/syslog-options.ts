import { statSync } from 'node:fs'
import { EngineError } from '@engine/linux'

/** Where messages go. */
export type SyslogAddress =
  | { readonly transport: 'udp' | 'tcp' | 'tls'; readonly host: string; readonly port: number }
  | { readonly transport: 'unix' | 'unixgram'; readonly path: string }
  /** The host's own: the first of its usual sockets that there is. */
  | { readonly transport: 'local' }

export type SyslogFormat = 'unix' | 'rfc3164' | 'rfc5424' | 'rfc5424micro'

/** What driver syslog is told by its options; plain data, for the log worker. */
export interface SyslogSettings {
  readonly address: SyslogAddress
  /** 0 to 23 */
  readonly facility: number
  readonly format: SyslogFormat
  /** Paths of PEM files, and whether the server's certificate counts. */
  readonly tls: { readonly ca?: string | undefined; readonly certificate?: string | undefined; readonly key?: string | undefined; readonly verify: boolean }
}

const facilities = ['kern', 'user', 'mail', 'daemon', 'auth', 'syslog', 'lpr', 'news', 'uucp', 'cron', 'authpriv', 'ftp', '', '', '', '', 'local0', 'local1', 'local2', 'local3', 'local4', 'local5', 'local6', 'local7']
const formats: readonly SyslogFormat[] = ['rfc3164', 'rfc5424', 'rfc5424micro']
const daemon = 3
const defaultPort = 514

/** @throws EngineError invalid-argument in Docker's words */
export function syslogSettings(options: Readonly<Record<string, string>>): SyslogSettings {
  return {
    address: parseAddress(options['syslog-address'] ?? ''),
    facility: parseFacility(options['syslog-facility'] ?? ''),
    format: parseFormat(options['syslog-format'] ?? ''),
    tls: {
      ca: options['syslog-tls-ca-cert'],
      certificate: options['syslog-tls-cert'],
      key: options['syslog-tls-key'],
      // As with Docker it is being there that counts.
      verify: options['syslog-tls-skip-verify'] === undefined,
    },
  }
}

function parseAddress(text: string): SyslogAddress {
  if (text === '') return { transport: 'local' }
  const [, scheme = '', rest = ''] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/i.exec(text) ?? []
  if (scheme === 'unix' || scheme === 'unixgram') {
    if (statSync(rest, { throwIfNoEntry: false }) === undefined) throw invalid(`stat ${rest}: no such file or directory`)
    return { transport: scheme, path: rest }
  }
  if (scheme !== 'udp' && scheme !== 'tcp' && scheme !== 'tcp+tls') throw invalid(`unsupported scheme: '${scheme}'`)
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:/]*))(?::([^/]*))?(?:\/.*)?$/.exec(rest) ?? []
  if (port !== undefined && !/^\d*$/.test(port)) throw invalid(`parse ${JSON.stringify(text)}: invalid port ":${port}" after host`)
  const host = bracketed ?? plain
  if (host === undefined) throw invalid(`parse ${JSON.stringify(text)}: invalid host`)
  return { transport: scheme === 'tcp+tls' ? 'tls' : scheme, host: host === '' ? 'localhost' : host, port: port === undefined || port === '' ? defaultPort : Number(port) }
}

function parseFacility(text: string): number {
  if (text === '') return daemon
  const named = facilities.indexOf(text)
  if (named >= 0) return named
  const number = /^\+?\d+$/.test(text) ? Number(text) : -1
  if (number < 0 || number > 23) throw invalid('invalid syslog facility')
  return number
}

function parseFormat(text: string): SyslogFormat {
  if (text === '') return 'unix'
  const format = formats.find((known) => known === text)
  if (format === undefined) throw invalid('Invalid syslog format')
  return format
}

function invalid(message: string): EngineError {
  return new EngineError('invalid-argument', message)
}
