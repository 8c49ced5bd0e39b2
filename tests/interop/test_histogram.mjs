// hdr-histogram-js reads our .hlog, and prints for each histogram in it exactly the text of our .hgrm.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import hdr from 'hdr-histogram-js';

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'mr_hdr_'));
try {
  execFileSync(path.join(process.env.MR_INTEROP_BIN, 'interop_histogram'), [dir]);
  const reader = new hdr.HistogramLogReader(fs.readFileSync(path.join(dir, 'all.hlog'), 'utf8'), 64);
  for (const [shape, count] of [0, 1, 2, 10, 1000, 100000].entries()) {
    const histogram = reader.nextIntervalHistogram();
    assert.ok(histogram, `interval ${shape}`);
    assert.equal(histogram.totalCount, count);
    assert.equal(histogram.tag, shape % 2 ? 'odd' : 'NO TAG');
    assert.equal(histogram.startTimeStampMsec, 1795000000123 + 1000 * shape);
    assert.equal(histogram.endTimeStampMsec - histogram.startTimeStampMsec, 1000);
    assert.equal(histogram.outputPercentileDistribution(5, 1000),
      fs.readFileSync(path.join(dir, `${shape}.hgrm`), 'utf8'), `text of histogram ${shape}`);
  }
  assert.equal(reader.nextIntervalHistogram(), null);
} finally {
  fs.rmSync(dir, { recursive: true });
}
