import { existsSync, readFileSync } from 'node:fs'
import { SetupError, run } from './report.mjs'

/** What engine itself needs of Debian, as [package, a file of it]. */
export const needed = [
  ['libnftables1', ['/usr/lib/x86_64-linux-gnu/libnftables.so.1', '/usr/lib/aarch64-linux-gnu/libnftables.so.1']],
  ['libseccomp2', ['/usr/lib/x86_64-linux-gnu/libseccomp.so.2', '/usr/lib/aarch64-linux-gnu/libseccomp.so.2', '/lib/x86_64-linux-gnu/libseccomp.so.2']],
  ['busybox-static', ['/usr/share/doc/busybox-static']],
  ['tini', ['/usr/bin/tini-static']],
  ['procps', ['/usr/bin/ps']],
  ['xz-utils', ['/usr/bin/xz']],
]

/** What only the tests need. */
export const neededByTests = [
  ['nftables', ['/usr/sbin/nft']],
  ['iproute2', ['/usr/bin/ip', '/usr/sbin/ip', '/sbin/ip']],
  ['curl', ['/usr/bin/curl']],
  ['debootstrap', ['/usr/sbin/debootstrap']],
  ['libcap2-bin', ['/usr/sbin/setcap', '/sbin/setcap']],
]

/** @throws {SetupError} when this is no machine that engine runs on */
export function checkMachine() {
  if (process.platform !== 'linux') throw new SetupError(`engine runs on Linux, not on ${process.platform}`)
  if (process.arch !== 'x64') throw new SetupError(`engine runs on x86-64 so far, not on ${process.arch}`)
  if (process.getuid?.() !== 0) throw new SetupError('this needs root: engine makes namespaces, mounts and cgroups', 'sudo npm start')
  const os = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : ''
  if (!existsSync('/usr/bin/apt-get')) {
    throw new SetupError(`this is set up for Debian 12 and 13, not for ${/^PRETTY_NAME="(.*)"$/m.exec(os)?.[1] ?? 'this system'}`, `install ${needed.map(([name]) => name).join(', ')} by hand and use npm run build`)
  }
}

/** Installs the Debian packages of a list that are missing.
 * @param {readonly (readonly [string, readonly string[]])[]} packages
 * @returns {Promise<string>} a remark for the user */
export async function installPackages(packages) {
  const missing = packages.filter(([, files]) => !files.some((file) => existsSync(file))).map(([name]) => name)
  if (missing.length === 0) return 'in place'
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const hint = 'is the package mirror reachable, and no other apt running?'
  await run('apt-get', ['update', '-qq'], { env, hint })
  await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], { env, hint })
  return missing.join(', ')
}
