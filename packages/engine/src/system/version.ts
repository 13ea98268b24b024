import { release, version as kernelBuild } from 'node:os'
import type { SystemVersion } from '../types/system-views.ts'
import { apiVersion, goArchitecture, minimumApiVersion, programVersion } from './identity.ts'

/** GET /version. The names are Docker's; `GoVersion` says what the engine runs on instead. */
export function systemVersion(): SystemVersion {
  const common = {
    ApiVersion: apiVersion,
    Arch: goArchitecture(),
    GitCommit: '',
    GoVersion: `node-${process.versions.node}`,
    KernelVersion: release(),
    MinAPIVersion: minimumApiVersion,
    Os: 'linux',
  }
  return {
    Platform: { Name: 'engine' },
    Components: [{ Name: 'Engine', Version: programVersion(), Details: { ...common, BuildTime: '', Experimental: 'false', KernelBuild: kernelBuild() } }],
    Version: programVersion(),
    ...common,
    BuildTime: '',
  }
}
