"""Pushes folders of configuration to gateways over ssh. ``cli.add`` puts the command in.

``hosts``, ``plan`` and ``report`` are pure, ``difference`` touches nothing either; ``connection`` is the one place that speaks ssh, ``site`` knows how a
configuration lies on a gateway, ``journey`` takes one gateway through the plan, ``screen`` shows how far each is.
"""
