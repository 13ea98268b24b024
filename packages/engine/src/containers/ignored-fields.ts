import { hasAppArmor } from '@engine/runtime'
import type { HostConfigView } from '../types/container-config.ts'
import type { SecurityOptions } from './spec/security-options.ts'

/** Warnings for settings that are kept and shown but have no effect. */
export function ignoredFields(host: HostConfigView, security: SecurityOptions): string[] {
  const warnings: string[] = []
  if (security.apparmor !== undefined && security.apparmor !== 'unconfined' && !hasAppArmor()) {
    warnings.push(`This host has no AppArmor: the profile ${security.apparmor} has no effect.`)
  }
  if (host.KernelMemoryTCP !== undefined) warnings.push('A limit of kernel TCP memory is not supported by the kernel any more. Limitation discarded.')
  return warnings
}
