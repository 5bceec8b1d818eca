// The operators of the domain `millrace`.
#ifndef MILLRACE_OPERATORS_H
#define MILLRACE_OPERATORS_H

#include "ort.h"

extern const OrtCustomOp block_product_operator;
extern const OrtCustomOp attention_operator;

#endif
