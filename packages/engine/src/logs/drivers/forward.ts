import type { SyslogSettings } from './syslog-options.ts'

/** Where a container's lines are sent beside its file; plain data, for the log worker. */
export type Forward =
  | { readonly kind: 'syslog'; readonly settings: SyslogSettings; readonly tag: string; readonly hostname: string; readonly pid: number }
  | { readonly kind: 'journald'; readonly socket: string; readonly fields: Readonly<Record<string, string>> }
