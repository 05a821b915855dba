def hand_written(): return []
