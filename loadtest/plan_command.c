#include "load_commands.h"
#include "../workers/say.h"
int lp_load_plan_list(const lp_args_t *args){(void) args; lp_say("not there yet"); return LP_NO;}
int lp_load_plan_show(const lp_args_t *args){(void) args; lp_say("not there yet"); return LP_NO;}
