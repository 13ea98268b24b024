import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, it } from 'node:test'
import { defaultAppArmorProfile, knowsProfile } from './apparmor-default.ts'

/** The paths of a kind of rule, as patterns: of apparmor.d(5)'s globs those that the profile has. */
function denied(permission: string): RegExp[] {
  return [...defaultAppArmorProfile.matchAll(/^ {2}deny (\/\S+) ([a-z]+),$/gm)]
    .filter(([, , permissions]) => permissions?.includes(permission))
    .map(([, glob = '']) => new RegExp(`^${glob.replaceAll(/\*\*|\*|\{([^}]*)\}|\./g, (found, choices: string | undefined) => (choices !== undefined ? `(?:${choices.replaceAll(',', '|')})` : found === '**' ? '.*' : found === '*' ? '[^/]*' : '\\.'))}$`))
}

function denies(permission: string, path: string): boolean {
  return denied(permission).some((pattern) => pattern.test(path))
}

describe('the AppArmor profile of containers', () => {
  it('denies writing to the kernel’s own, but for what is the container’s', () => {
    for (const path of [
      '/proc/sysrq-trigger', '/proc/kcore', '/proc/mtrr', '/proc/acpi/wakeup', '/proc/irq/default_smp_affinity', '/proc/scsi/scsi', '/proc/sysvipc/shm', '/proc/fs/ext4/x', '/proc/driver/rtc/y',
      '/proc/sys/vm/swappiness', '/proc/sys/fs/binfmt_misc/register', '/proc/sys/net/ipv4/ip_forward', '/proc/sys/kernel/core_pattern', '/proc/sys/kernel/modprobe', '/proc/sys/kernel/sysrq', '/proc/sys/kernel/sched_rt_period_us',
      '/sys/kernel/uevent_helper', '/sys/kernel/security/apparmor/.remove', '/sys/module/x/parameters/y', '/sys/firmware/efi/efivars/x', '/sys/fs/ext4/x/y', '/sys/fs/selinux/load', '/sys/block/sda/queue/scheduler', '/sys/devices/virtual/powercap/x',
    ]) assert.ok(denies('w', path), path)
    for (const path of ['/proc/1/oom_score_adj', '/proc/42/task/42/attr/exec', '/proc/sys/kernel/shmmax', '/sys/fs/cgroup/cgroup.procs', '/sys/fs/cgroup/memory/x/memory.limit_in_bytes', '/etc/passwd', '/opt/proc/sys/x', '/dev/shm/x']) {
      assert.ok(!denies('w', path), path)
    }
  })

  it('denies reading only what tells of the host', () => {
    for (const path of ['/proc/kcore', '/proc/sysrq-trigger', '/sys/firmware/dmi/tables/DMI', '/sys/devices/virtual/powercap/intel-rapl/energy_uj', '/sys/kernel/security/apparmor/profiles']) assert.ok(denies('r', path), path)
    for (const path of ['/proc/meminfo', '/proc/sys/kernel/osrelease', '/sys/class/net/eth0/address', '/sys/devices/system/cpu/online']) assert.ok(!denies('r', path), path)
  })

  it('is compiled by apparmor_parser', (t) => {
    const { error, status, stderr } = spawnSync('apparmor_parser', ['--skip-kernel-load', '--skip-cache'], { input: defaultAppArmorProfile, encoding: 'utf8', env: { PATH: '/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin' } })
    if (error !== undefined) t.skip('there is no apparmor_parser here')
    else assert.equal(status, 0, stderr)
  })

  it('is found among those that the kernel knows', () => {
    const profiles = 'docker-default-2 (enforce)\n/usr/bin/man (enforce)\nmy docker-default (complain)\n'
    assert.equal(knowsProfile('docker-default', profiles), false)
    assert.equal(knowsProfile('docker-default', `${profiles}docker-default (enforce)\n`), true)
    assert.equal(knowsProfile('/usr/bin/man', profiles), true)
  })
})
