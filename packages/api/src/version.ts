/** The API version that the daemon speaks by default: the contract is Docker's v1.51. */
export const API_VERSION = '1.51'

/** The oldest version that a client may ask for. */
export const MIN_API_VERSION = '1.24'

/** `1.51` as a number that can be compared: the minor version (there is no major one but 1). NaN when it is no version. */
export function minorOf(version: string): number {
  const parts = /^(\d+)(?:\.(\d+))?$/.exec(version)
  return parts === null ? Number.NaN : (Number(parts[1]) - 1) * 10_000 + Number(parts[2] ?? 0)
}

/** Whether `version` is `other` or newer. */
export function isAtLeast(version: string, other: string): boolean {
  return minorOf(version) >= minorOf(other)
}

/** `/v1.51/containers/json` in its parts; without a version when the path has none. */
export function splitVersion(path: string): { readonly version: string | undefined; readonly path: string } {
  const match = /^\/v(\d+(?:\.\d+)*)(?=\/)/.exec(path)
  return match === null ? { version: undefined, path } : { version: match[1], path: path.slice(match[0].length) }
}

/** Why a version cannot be served, in moby's words (api/server/middleware/version.go); undefined when it can. */
export function refuseVersion(version: string): string | undefined {
  const minor = minorOf(version)
  if (minor < minorOf(MIN_API_VERSION)) {
    return `client version ${version} is too old. Minimum supported API version is ${MIN_API_VERSION}, please upgrade your client to a newer version`
  }
  return minor <= minorOf(API_VERSION) ? undefined : `client version ${version} is too new. Maximum supported API version is ${API_VERSION}`
}
