import { allow } from './rule.ts'
import type { ProfileRule } from '../profile.ts'

/** Address space. userfaultfd is missing on purpose: it holds kernel code still at chosen moments, which exploits need. */
export const memory: readonly ProfileRule[] = [
  allow([
    'brk', 'cachestat', 'madvise', 'map_shadow_stack', 'membarrier', 'memfd_create', 'memfd_secret', 'mincore', 'mlock', 'mlock2',
    'mlockall', 'mmap', 'mmap2', 'mprotect', 'mremap', 'mseal', 'msync', 'munlock', 'munlockall', 'munmap', 'pkey_alloc', 'pkey_free',
    'pkey_mprotect', 'process_mrelease', 'remap_file_pages',
  ]),
]
