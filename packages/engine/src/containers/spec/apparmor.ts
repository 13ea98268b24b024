import { DEFAULT_APPARMOR_PROFILE, hasAppArmor, hasDefaultAppArmorProfile } from '@engine/runtime'
import type { HostConfigView } from '../../types/container-config.ts'
import { parseSecurityOptions, type SecurityOptions } from './security-options.ts'

/** What the host has of AppArmor. */
export interface AppArmorHost {
  readonly enabled: () => boolean
  /** Whether the profile of containers that name none is loaded: without apparmor_parser it cannot be. */
  readonly hasDefault: () => boolean
}

const thisHost: AppArmorHost = { enabled: hasAppArmor, hasDefault: hasDefaultAppArmorProfile }

/**
 * The profile that a container's processes are under, those of exec included; as with Docker, exec --privileged changes nothing of it.
 * @returns `unconfined` for none; undefined where the kernel has no AppArmor
 */
export function appArmorProfileOf({ apparmor }: Pick<SecurityOptions, 'apparmor'>, { Privileged }: Pick<HostConfigView, 'Privileged'>, host: AppArmorHost = thisHost): string | undefined {
  if (!host.enabled()) return undefined
  if (apparmor !== undefined && apparmor !== '') return apparmor
  return Privileged || !host.hasDefault() ? 'unconfined' : DEFAULT_APPARMOR_PROFILE
}

/** The same for a runtime spec: `unconfined` is what a process of the shim's is anyhow. */
export function specAppArmor(security: SecurityOptions, host: HostConfigView): { readonly apparmorProfile?: string } {
  const profile = appArmorProfileOf(security, host)
  return profile === undefined || profile === 'unconfined' ? {} : { apparmorProfile: profile }
}

/** What inspect shows: what was asked for, and once the container has been started what it got instead of nothing, as Docker writes it down then. */
export function appArmorShown(host: HostConfigView, started: boolean): string {
  const security = parseSecurityOptions(host.SecurityOpt ?? [])
  return (started ? appArmorProfileOf(security, host) : undefined) ?? security.apparmor ?? ''
}
