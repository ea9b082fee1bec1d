"""From a kernel graph to a linear program: schedules, expansion, lowering."""
