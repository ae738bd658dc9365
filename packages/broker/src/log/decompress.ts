import { constants, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { LogError } from '../errors.ts';
import { BoundedOutput } from './bounded-output.ts';
import { lz4Compress, lz4Decompress } from './lz4.ts';
import { isXerial, snappyCompress, snappyDecompress } from './snappy.ts';

/**
 * What is behind the header of a compressed batch, for those who read records in this process and for compaction; the
 * broker itself passes batches on as they are. Kafka sets no bound to what a batch may become. Here it is 128 MiB, so that
 * no batch of a megabyte takes the process down.
 */
const MOST_DECOMPRESSED = 128 * 1024 * 1024;
const GZIP = 1;
const SNAPPY = 2;
const LZ4 = 3;
const ZSTD = 4;

/** The records of the batch at `baseOffset`, as a view of bytes of their own; throws CORRUPT_MESSAGE. */
export function decompress(codec: number, input: Buffer, baseOffset: number, most = MOST_DECOMPRESSED): Buffer {
  try {
    return decompressed(codec, input, most);
  } catch (error) {
    if (error instanceof LogError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new LogError(
      'CORRUPT_MESSAGE',
      `the batch at offset ${baseOffset} cannot be decompressed to at most ${most} bytes: ${reason}`,
      { cause: error },
    );
  }
}

function decompressed(codec: number, input: Buffer, most: number): Buffer {
  if (codec === GZIP) return gunzipSync(input, { maxOutputLength: most });
  if (codec === ZSTD) return zstdDecompressSync(input, { maxOutputLength: most });
  const output = new BoundedOutput(most, input.length * 4);
  if (codec === SNAPPY) snappyDecompress(input, output);
  else if (codec === LZ4) lz4Decompress(input, output);
  else throw new LogError('UNSUPPORTED_COMPRESSION_TYPE', `there is no codec ${codec}; use gzip, snappy, lz4 or zstd`);
  return output.written;
}

/** Records compressed again as `like` was, which is what they came from. */
export function compressLike(codec: number, records: Buffer, like: Buffer): Buffer {
  if (codec === GZIP) return gzipSync(records);
  if (codec === ZSTD) return zstdCompressSync(records, { params: { [constants.ZSTD_c_compressionLevel]: 3 } });
  return codec === SNAPPY ? snappyCompress(records, isXerial(like)) : lz4Compress(records);
}
