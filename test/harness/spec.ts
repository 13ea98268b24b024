import {
  capabilitySets, defaultCapabilities, defaultDeviceRules, defaultMaskedPaths, defaultMounts, defaultReadonlyPaths, type OciSpec,
} from '@engine/runtime'

/** The spec of an ordinary container with an empty network namespace. */
export function plainSpec(root: string, cgroupsPath: string, args: readonly string[] = ['true']): OciSpec {
  return {
    ociVersion: '1.2.0',
    process: {
      terminal: false,
      user: { uid: 0, gid: 0, additionalGids: [] },
      args,
      env: ['PATH=/bin', 'HOME=/root'],
      cwd: '/',
      capabilities: capabilitySets(defaultCapabilities),
      rlimits: [],
      noNewPrivileges: false,
    },
    root: { path: root },
    hostname: 'test-host',
    mounts: defaultMounts({ ipc: 'private', privileged: false }),
    linux: {
      namespaces: [{ type: 'pid' }, { type: 'mount' }, { type: 'uts' }, { type: 'ipc' }, { type: 'network' }, { type: 'cgroup' }],
      devices: [],
      cgroupsPath,
      resources: { devices: defaultDeviceRules },
      maskedPaths: defaultMaskedPaths(),
      readonlyPaths: defaultReadonlyPaths,
    },
  }
}
