import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseLayout, refuseUnlessGroupPath } from './hierarchy.ts'

const known = new Set(['cpuset', 'cpu', 'cpuacct', 'blkio', 'memory', 'devices', 'freezer', 'pids', 'hugetlb'])
const v1 = `24 23 0:22 / /proc rw - proc proc rw
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
36 31 0:33 / /sys/fs/cgroup/devices rw,relatime - cgroup cgroup rw,devices
38 31 0:35 / /sys/fs/cgroup/blkio rw,relatime - cgroup cgroup rw,blkio
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
`
const unified = '41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n'
const v2 = '30 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n'

describe('parseLayout', () => {
  it('reads v1 hierarchies, shared ones and one without controllers', () => {
    const layout = parseLayout(v1, known, () => [])
    assert.equal(layout.version, 1)
    assert.deepEqual(layout.hierarchies.map(({ controllers }) => controllers.join()), ['cpu,cpuacct', 'devices', 'blkio', 'name=systemd'])
    assert.deepEqual(layout.place('cpuacct', '/a/b'), { version: 1, directory: '/sys/fs/cgroup/cpu,cpuacct/a/b' })
    assert.deepEqual(layout.place('io', '/a'), { version: 1, directory: '/sys/fs/cgroup/blkio/a' })
    assert.equal(layout.place('memory', '/a'), undefined)
  })

  it('leaves a v2 hierarchy beside v1 out when it has nothing that engine limits', () => {
    assert.equal(parseLayout(v1 + unified, known, () => ['hugetlb']).hierarchies.length, 4)
    assert.equal(parseLayout(v1 + unified, known, () => []).hierarchies.length, 4)
  })

  it('takes controllers from v2 where v1 has them not', () => {
    const layout = parseLayout(v1 + unified, known, () => ['memory'])
    assert.equal(layout.version, 1)
    assert.deepEqual(layout.place('memory', '/a'), { version: 2, directory: '/sys/fs/cgroup/unified/a' })
    assert.equal(layout.place('devices', '/a')?.version, 1)
  })

  it('reads v2', () => {
    const layout = parseLayout(v2, new Set(), () => ['cpu', 'io', 'memory', 'pids'])
    assert.equal(layout.version, 2)
    for (const controller of ['cpu', 'cpuacct', 'io', 'devices', 'freezer'] as const) {
      assert.deepEqual(layout.place(controller, '/a'), { version: 2, directory: '/sys/fs/cgroup/a' })
    }
    assert.equal(layout.place('cpuset', '/a'), undefined)
  })

  it('counts a hierarchy that is mounted twice once, where it was first', () => {
    const layout = parseLayout(v2 + '90 23 0:26 /x /somewhere\\040else rw - cgroup2 cgroup2 rw\n', new Set(), () => [])
    assert.deepEqual(layout.hierarchies.map(({ mountpoint }) => mountpoint), ['/sys/fs/cgroup'])
  })

  it('undoes escapes', () => {
    assert.equal(parseLayout('90 23 0:26 /x /some\\040where rw - cgroup2 cgroup2 rw\n', new Set(), () => []).hierarchies[0]?.mountpoint, '/some where')
  })
})

describe('refuseUnlessGroupPath', () => {
  it('takes what lies below the root', () => {
    refuseUnlessGroupPath('/engine/0123')
  })

  for (const path of ['', '/', 'engine', '/engine/', '/engine/../x', '/./x', '/a//b', '/a\nb']) {
    it(`refuses ${JSON.stringify(path)}`, () => {
      assert.throws(() => refuseUnlessGroupPath(path), { code: 'invalid-argument' })
    })
  }
})
