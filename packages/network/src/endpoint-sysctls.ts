import { EngineError } from '@engine/linux'
import { writeSysctl } from '@engine/linux/sysctl'

/**
 * Reads the endpoint option `com.docker.network.endpoint.sysctls`: `net.ipv4.conf.IFNAME.log_martians=1,…`. The docker command
 * makes IFNAME small.
 * @returns values of kernel parameters, whose parts are divided by `/`, with `IFNAME` in the link's place
 * @throws EngineError invalid-argument in Docker's words
 */
export function parseEndpointSysctls(text: string): Record<string, string> {
  return Object.fromEntries(text.split(',').map((item) => {
    const match = /^net\.(ipv4|ipv6|mpls)\.([a-z]+)\.(?:IFNAME|ifname)\.([A-Za-z0-9_]+(?:[./][A-Za-z0-9_]+)*)=(.*)$/.exec(item.trim())
    if (match === null) {
      throw new EngineError('invalid-argument', `unrecognised network interface sysctl '${item}'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'`)
    }
    const [, family = '', kind = '', setting = '', value = ''] = match
    return [`net/${family}/${kind}/IFNAME/${setting.replaceAll('.', '/')}`, value]
  }))
}

/** Sets them for a link of this thread's namespace. @throws EngineError invalid-argument for what the kernel does not take */
export function applyEndpointSysctls(link: string, sysctls: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(sysctls)) {
    const path = name.replace('IFNAME', link)
    try {
      writeSysctl(path, value)
    } catch (cause) {
      throw new EngineError('invalid-argument', `failed to set sysctl ${path.replaceAll('/', '.')}=${value}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    }
  }
}
