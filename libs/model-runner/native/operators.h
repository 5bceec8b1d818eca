// The operators of the domain `millrace`.
#ifndef MILLRACE_OPERATORS_H
#define MILLRACE_OPERATORS_H

#include "ort.h"

extern const OrtCustomOp block_product_operator;
// One for each type of cache.
enum { ATTENTION_OPERATORS = 3 };
extern const OrtCustomOp attention_operators[ATTENTION_OPERATORS];

#endif
