#include "load_commands.h"
#include "../workers/say.h"
int lp_load_report(const lp_args_t *args){(void) args; lp_say("not there yet"); return LP_NO;}
int lp_load_merge(const lp_args_t *args){(void) args; lp_say("not there yet"); return LP_NO;}
int lp_load_compare(const lp_args_t *args){(void) args; lp_say("not there yet"); return LP_NO;}
