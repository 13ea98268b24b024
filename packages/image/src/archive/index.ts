export { readImageArchive, type ArchivedImage } from './read.ts'
export type { Unpacked, UnpackedFile } from './unpack.ts'
export { writeImageArchive, type ArchiveBlob, type SavedImage } from './write.ts'
