/*
 * leerpoort user-key: the key under which Leerpoort knows a person. Two
 * services that hold the same pepper can compare their people with it.
 */

#include <stdio.h>

#include "commands.h"
#include "holder.h"
#include "say.h"

int
lp_command_user_key(const lp_args_t *args)
{
    char user[LP_USER_KEY_LEN];
    int  rc;

    rc = lp_holder_user(user, args, args->value[LP_OPT_PEPPER],
                        args->value[LP_OPT_ID_TYPE]);
    if (rc == LP_YES) {
        printf("%.*s\n", LP_USER_KEY_LEN, user);
    }
    return rc;
}
