"""Makes what the pages send with the client that was generated into the folder `daybell`."""

import json
import sys

from daybell import Client
from daybell.api.occasions import create_occasion
from daybell.api.users import create_user, put_user_by_external_id
from daybell.models import OccasionInput, UserInput

user, occasion = (json.loads(text) for text in sys.argv[1:])
for model, sent in [(UserInput, user), (OccasionInput, occasion)]:
    assert model.from_dict(dict(sent)).to_dict() == sent, model
assert UserInput(first_name="Ada", date_of_birth=UserInput.from_dict(dict(user)).date_of_birth, timezone="UTC")
assert callable(create_user.sync) and callable(create_occasion.sync) and callable(put_user_by_external_id.sync)
Client(base_url="http://127.0.0.1:3000")
