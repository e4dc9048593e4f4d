// Values of curves, packed by packing.py: 16 bits each, shuffled, deflated, as base64.

const STEPS = 65531;
const [MINUS, PLUS, NOT_A_NUMBER, MISSING] = [65532, 65533, 65534, 65535];

async function inflated(text, Type) {
  const packed = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer());
  const size = Type.BYTES_PER_ELEMENT;
  const count = planes.length / size;
  const bytes = new Uint8Array(planes.length);
  for (let plane = 0; plane < size; plane++) {
    for (let i = 0; i < count; i++) bytes[i * size + plane] = planes[plane * count + i];
  }
  return new Type(bytes.buffer);
}

// Values (runs × x) with NaN where none is finite, and `bad`: the code where one was logged.
async function unpacked(own, nRuns) {
  const codes = await inflated(own.codes, Uint16Array);
  const bounds = await inflated(own.bounds, Float64Array);
  const nX = codes.length / nRuns;
  const values = new Float64Array(codes.length).fill(NaN);
  const bad = new Uint16Array(codes.length);
  for (let run = 0; run < nRuns; run++) {
    const [low, high] = [bounds[run], bounds[nRuns + run]];
    let code = 0;
    for (let at = run * nX; at < (run + 1) * nX; at++) {
      code = (code + codes[at]) & 0xffff;
      if (code > STEPS) bad[at] = code === MISSING ? 0 : code;
      else values[at] = onAxis(low * (1 - code / STEPS) + high * (code / STEPS), own);
    }
  }
  return { values, bad, nX };
}

function onAxis(drawn, own) {
  if (own.scale === "linear") return drawn;
  const value = own.scale === "log" ? 10 ** drawn : Math.sinh(drawn) * own.unit;
  return Math.max(-Number.MAX_VALUE, Math.min(value, Number.MAX_VALUE));
}
