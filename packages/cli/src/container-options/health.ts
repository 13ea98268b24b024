export interface HealthFlags {
  readonly 'no-healthcheck': boolean
  readonly 'health-cmd': string | undefined
  readonly 'health-interval': number | undefined
  readonly 'health-timeout': number | undefined
  readonly 'health-start-period': number | undefined
  readonly 'health-start-interval': number | undefined
  readonly 'health-retries': number | undefined
}

/** Config.Healthcheck as the flags say it, durations in nanoseconds; undefined leaves the image's. @throws Error with docker's text */
export function readHealthcheck(flags: HealthFlags): object | undefined {
  const settings: Record<string, unknown> = {}
  const set = (field: string, flag: 'health-interval' | 'health-timeout' | 'health-start-period' | 'health-start-interval' | 'health-retries'): void => {
    const given = flags[flag]
    if (given === undefined || given === 0) return
    if (given < 0) throw new Error(`--${flag} cannot be negative`)
    settings[field] = given
  }
  if (flags['health-cmd'] !== undefined && flags['health-cmd'] !== '') settings['Test'] = ['CMD-SHELL', flags['health-cmd']]
  set('Interval', 'health-interval')
  set('Timeout', 'health-timeout')
  set('StartPeriod', 'health-start-period')
  set('StartInterval', 'health-start-interval')
  set('Retries', 'health-retries')
  const any = Object.keys(settings).length > 0
  if (!flags['no-healthcheck']) return any ? settings : undefined
  if (any) throw new Error('--no-healthcheck conflicts with --health-* options')
  return { Test: ['NONE'] }
}
