/** As long as the ids of real requests; both ends of the suite `relay` know them. */
export const relayRequestId = (run: number, index: number): string =>
  `req_${run}-${index.toString(16).padStart(8, '0')}-4b1d-4c7e-9d55-2f0c8f3f1a77`;
