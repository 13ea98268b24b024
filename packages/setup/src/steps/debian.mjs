import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { SetupError, run } from './report.mjs'

/** What engine itself needs of Debian, as [package, a file of it]. */
export const needed = [
  ['libnftables1', ['/usr/lib/x86_64-linux-gnu/libnftables.so.1']],
  ['libseccomp2', ['/usr/lib/x86_64-linux-gnu/libseccomp.so.2', '/lib/x86_64-linux-gnu/libseccomp.so.2']],
  ['busybox-static', ['/usr/share/doc/busybox-static']],
  ['tini', ['/usr/bin/tini-static']],
  ['procps', ['/usr/bin/ps', '/bin/ps']],
  ['xz-utils', ['/usr/bin/xz']],
]

/** What only the tests need. */
export const neededByTests = [
  ['nftables', ['/usr/sbin/nft']],
  ['iptables', ['/usr/sbin/iptables-restore']],
  ['xfsprogs', ['/usr/sbin/mkfs.xfs', '/sbin/mkfs.xfs']],
  ['iproute2', ['/usr/bin/ip', '/usr/sbin/ip', '/sbin/ip']],
  ['curl', ['/usr/bin/curl']],
  ['openssh-client', ['/usr/bin/ssh-agent']],
  ['debootstrap', ['/usr/sbin/debootstrap']],
  ['docker-registry', ['/usr/bin/docker-registry']],
  ['skopeo', ['/usr/bin/skopeo']],
  ['apache2-utils', ['/usr/bin/htpasswd']],
  ['openssl', ['/usr/bin/openssl']],
  ['libcap2-bin', ['/usr/sbin/setcap', '/sbin/setcap']],
  ['git', ['/usr/bin/git']],
  ['runc', ['/usr/bin/runc', '/usr/sbin/runc']],
  ['crun', ['/usr/bin/crun']],
]

/** What only the bench of pulls and loads needs. */
export const neededByBench = [['podman', ['/usr/bin/podman']]]

/** What only the bench of networks needs. */
export const neededByNetworkBench = [['iperf3', ['/usr/bin/iperf3']]]

/** @throws {SetupError} when this is no machine that engine runs on, or the user is not root */
export function checkMachine() {
  if (process.platform !== 'linux') throw new SetupError(`engine runs on Linux, not on ${process.platform}`)
  if (process.arch !== 'x64') throw new SetupError(`engine runs on x86-64 so far, not on ${process.arch}`)
  if (process.getuid?.() !== 0) {
    const script = process.env['npm_lifecycle_event'] ?? 'start'
    throw new SetupError('This needs root: engine makes namespaces, mounts and cgroups.', `sudo npm ${script === 'start' ? script : `run ${script}`}`)
  }
}

/** Installs the Debian packages of a list that are missing.
 * @param {readonly (readonly [string, readonly string[]])[]} packages
 * @returns {Promise<string>} a remark for the user
 * @throws {SetupError} */
export async function installPackages(packages) {
  const missing = packages.filter(([, files]) => !files.some((file) => existsSync(file))).map(([name]) => name)
  if (missing.length === 0) return 'in place'
  if (!existsSync('/usr/bin/apt-get')) {
    const os = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : ''
    throw new SetupError(
      `${/^PRETTY_NAME="(.*)"$/m.exec(os)?.[1] ?? 'This system'} has no apt-get; engine is set up for Debian 12 and 13. What is missing: ${missing.join(', ')}`,
      'install by hand what these Debian packages hold, at the same places',
    )
  }
  // Not broken off by Ctrl-C: dpkg would leave packages half configured.
  const options = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, uninterrupted: true }
  const wait = ['-o', 'DPkg::Lock::Timeout=120']
  if (existsSync('/var/lib/dpkg/updates') && readdirSync('/var/lib/dpkg/updates').length > 0) await run('dpkg', ['--configure', '-a'], options)
  // Package lists may be out of date, or not reachable at all where everything lies in a cache: the installation tells.
  await run('apt-get', [...wait, 'update', '-qq'], options).catch(() => undefined)
  await run('apt-get', [...wait, 'install', '-y', '-qq', '--no-install-recommends', ...missing], {
    ...options,
    hint: `is the Debian mirror reachable? By hand: apt-get install ${missing.join(' ')}`,
  })
  return `installed ${missing.join(', ')}`
}
