/** What the mappers of every dialect are given of an answer in their tests. */
export const answerHeading = {
  requestId: 'abc',
  model: 'tiny',
  cardHash: '0123456789abcdef',
  createdAt: 1_700_000_000,
  promptTokenIds: null,
};
