/** A span in words, as go-units' HumanDuration says it: `About a minute`, `3 hours`. @param seconds may have a fraction */
export function humanDuration(seconds: number): string {
  const whole = Math.trunc(seconds)
  if (whole < 1) return 'Less than a second'
  if (whole === 1) return '1 second'
  if (whole < 60) return `${whole} seconds`
  const minutes = Math.trunc(seconds / 60)
  if (minutes === 1) return 'About a minute'
  if (minutes < 60) return `${minutes} minutes`
  const hours = Math.trunc(seconds / 3600 + 0.5)
  if (hours === 1) return 'About an hour'
  if (hours < 48) return `${hours} hours`
  const days = Math.trunc(hours / 24)
  if (hours < 24 * 7 * 2) return `${days} days`
  if (hours < 24 * 30 * 2) return `${Math.trunc(days / 7)} weeks`
  if (hours < 24 * 365 * 2) return `${Math.trunc(days / 30)} months`
  return `${Math.trunc(Math.trunc(seconds / 3600) / 24 / 365)} years`
}

/** How long ago a moment was: `3 hours ago`. @param then seconds since the epoch */
export function humanSince(then: number, now = Date.now()): string {
  return `${humanDuration(now / 1000 - then)} ago`
}

const decimal = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB', 'ZB', 'YB']
const binary = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB', 'ZiB', 'YiB']

/** Bytes in powers of 1000, as go-units' HumanSizeWithPrecision: `1.98MB`. */
export function humanSize(bytes: number, precision = 3): string {
  return scaled(bytes, 1000, decimal, precision)
}

/** Bytes in powers of 1024, as go-units' BytesSize: `7.38MiB`. */
export function binarySize(bytes: number): string {
  return scaled(bytes, 1024, binary, 4)
}

function scaled(bytes: number, base: number, units: readonly string[], precision: number): string {
  let size = bytes
  let unit = 0
  while (size >= base && unit < units.length - 1) {
    size /= base
    unit++
  }
  return `${general(size, precision)}${units[unit]}`
}

/** C's `%.<precision>g`. */
function general(value: number, precision: number): string {
  const [mantissa = '', exponent] = value.toPrecision(precision).split('e')
  const short = mantissa.includes('.') ? mantissa.replace(/\.?0+$/, '') : mantissa
  if (exponent === undefined) return short
  return `${short}e${exponent.slice(0, 1)}${exponent.slice(1).padStart(2, '0')}`
}

/** A moment as Go's time.String in the local zone: `2026-11-23 17:53:52 +0000 UTC`. @param fraction digits after the second, without trailing zeros */
export function goTime(seconds: number, fraction = ''): string {
  const date = new Date(seconds * 1000)
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  return `${day} ${time}${fraction === '' ? '' : `.${fraction}`} ${zoneOffset(date).replace(':', '')} ${zoneName(date)}`
}

/** RFC 3339 in the local zone: `2026-11-23T17:53:52Z`, with `fraction` (digits, as given) after the second. */
export function rfc3339(seconds: number, fraction = ''): string {
  const date = new Date(seconds * 1000)
  const two = (value: number): string => String(value).padStart(2, '0')
  const offset = zoneOffset(date)
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}T${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
    + `${fraction === '' ? '' : `.${fraction}`}${offset === '+00:00' ? 'Z' : offset}`
}

function zoneOffset(date: Date): string {
  const minutes = -date.getTimezoneOffset()
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${minutes < 0 ? '-' : '+'}${two(Math.trunc(Math.abs(minutes) / 60))}:${two(Math.abs(minutes) % 60)}`
}

function zoneName(date: Date): string {
  // Intl costs 20 ms of start-up: only where there is a zone to name.
  if (date.getTimezoneOffset() === 0) return 'UTC'
  const name = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' }).formatToParts(date).find((part) => part.type === 'timeZoneName')?.value
  return name === undefined || /[+-]/.test(name) ? zoneOffset(date).replace(':', '').replace(/00$/, '') : name
}
